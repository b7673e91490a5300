"""Records: what sites write down, read by one reader."""

from dcsim.records.outages import Outages, read_outages
from dcsim.records.tables import Broken
from dcsim.textfile import RecordError

__all__ = ["Broken", "Outages", "RecordError", "read_outages"]
