"""`python -m genai_hwreq …`."""

from __future__ import annotations

import sys

from genai_hwreq.cli import main

if __name__ == "__main__":
    sys.exit(main())
