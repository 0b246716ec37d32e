"""`python -m shotline.client.cli`: the `shotline` command."""

from shotline.client.cli.main import main

if __name__ == "__main__":
    main()
