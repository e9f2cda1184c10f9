"""`python -m digest_mailer` is the command `digest-mailer`."""

from digest_mailer.cli import main

if __name__ == "__main__":
    main()
