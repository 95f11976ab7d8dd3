"""`python -m devicehunt`."""

import sys

from devicehunt.cli import main

sys.exit(main())
