"""The tool gateway: what it adds to a call (`mcp.py`), and that effects are what was approved (`approvals.py`)."""

import asyncio

from benchmarks import approvals, mcp

if __name__ == "__main__":
    asyncio.run(mcp.main())
    approvals.main()
