"""``python -m fallline`` is ``fallline``."""

from fallline.cli.app import main

if __name__ == "__main__":
    main()
