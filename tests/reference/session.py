"""Runs one turn of the Claude Agent SDK with the reference's session store and prints the model's text.

usage: session.py DATABASE_URL CLI CWD new|resume SESSION_ID PROMPT
"""

import asyncio
import sys

from agent_webkit_server.adapters.pg_session_store import PgSessionStore
from claude_agent_sdk import AssistantMessage, ClaudeAgentOptions, ClaudeSDKClient, TextBlock


async def main(url: str, cli: str, cwd: str, how: str, session_id: str, prompt: str) -> None:
    store = await PgSessionStore.connect(url, min_size=1, max_size=2)
    which = {"session_id": session_id} if how == "new" else {"resume": session_id}
    options = ClaudeAgentOptions(session_store=store, cli_path=cli, cwd=cwd, **which)
    async with ClaudeSDKClient(options) as client:
        await client.query(prompt)
        async for message in client.receive_response():
            if isinstance(message, AssistantMessage):
                print("".join(block.text for block in message.content if isinstance(block, TextBlock)))
    await store.close()


asyncio.run(main(*sys.argv[1:]))
