"""`python -m dcsim`: the command line. Worker processes import this file again, hence the guard."""

if __name__ == "__main__":
    from dcsim.cli import main

    main()
