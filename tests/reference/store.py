"""Serves the reference's session store over a pipe: each input line is a call, each output line its result.

usage: store.py DATABASE_URL
"""

import asyncio
import json
import sys

from agent_webkit_server.adapters._summary_bridge import fold_session_summary
from agent_webkit_server.adapters.pg_session_store import PgSessionStore


async def main(url: str) -> None:
    store = await PgSessionStore.connect(url, min_size=1, max_size=2)
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        if method == "fold":
            gave = fold_session_summary(None, {"project_key": "", "session_id": ""}, *arguments)["data"]
        else:
            gave = await getattr(store, method)(*arguments)
        print(json.dumps(gave), flush=True)
    await store.close()


asyncio.run(main(sys.argv[1]))
