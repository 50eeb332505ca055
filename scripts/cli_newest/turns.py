"""The scripted turns. Each runs on a machine of its own, on which its last agent is ended afterwards."""
import json
import re
import sys
import time

from agent import allow
from machine import ROOT

NO_UUID = "00000000-0000-4000-8000-000000000000"
ELICITING_SERVER = ROOT / "tests/support/eliciting_mcp_server.py"


def script(*steps, token_ms=0):
    return "<<" + json.dumps({"steps": steps, "token_ms": token_ms}) + ">>"


def tool(tool_name, **given):
    return {"tool": tool_name, "input": given}


def bash(command, **given):
    return tool("Bash", command=command, description="practice", **given)


def say(machine, *messages, **options):
    agent = machine.agent(**options)
    for message in messages:
        agent.turn(message)
    return agent


def text(machine):
    say(machine, "hi", [{"type": "text", "text": script([{"think": "hm"}, "hello"])}], "hi again")


def tools(machine):
    path = str(machine.workspace / "a.txt")
    long = "i=0; while [ $i -lt 9000 ]; do echo line $i; i=$((i+1)); done"
    steps = [tool("Write", file_path=path, content="one\n"), tool("Read", file_path=path)]
    steps += [tool("Edit", file_path=path, old_string="one", new_string="two"), bash("cat a.txt"), bash("exit 3")]
    steps += [tool("Glob", pattern="*.txt"), tool("Grep", pattern="two"), bash(long), tool("NoSuchTool")]
    say(machine, script(*steps, [bash("echo a"), bash("echo b")], "done"))


def task_list(machine):
    todos = [{"content": "a", "status": "pending", "activeForm": "doing a"}]
    steps = [tool("TaskCreate", subject="a", description="b"), tool("TaskList"), tool("TodoWrite", todos=todos)]
    say(machine, script(*steps, "done"), env={"CLAUDE_CODE_ENABLE_TODO_TOOLS": "1"})


def permission(machine):
    agent = machine.agent()
    rule = {"type": "addRules", "rules": [{"toolName": "Bash", "ruleContent": "touch:*"}]}
    rule |= {"behavior": "allow", "destination": "session"}
    answers = [
        lambda request: {"behavior": "deny", "message": "no"},
        lambda request: {**allow(request), "updatedPermissions": [rule]},
    ]
    agent.answers["can_use_tool"] = lambda request: answers.pop(0)(request)
    agent.turn(script(bash("rm a"), bash("touch b"), bash("touch c"), "done"))
    agent.answers["can_use_tool"] = lambda request: {"behavior": "deny", "message": "no", "interrupt": True}
    agent.turn(script(bash("rm a"), "never"))


def question(machine):
    agent = machine.agent()
    options = [{"label": "Red", "description": "r"}, {"label": "Blue", "description": "b"}]
    asked = {"question": "Which?", "header": "Color", "multiSelect": False, "options": options}
    answered = lambda request: {**request["input"], "answers": {"Which?": "Blue"}}
    agent.answers["can_use_tool"] = lambda request: {"behavior": "allow", "updatedInput": answered(request)}
    agent.turn(script(tool("AskUserQuestion", questions=[asked]), "done"))


def plan(machine):
    agent = machine.agent("--permission-mode=plan")
    agent.say("hi")
    entry = agent.until("the plan's path", lambda frame: "planFilePath" in json.dumps(frame))
    path = re.search(r'"planFilePath": ("[^"]*")', json.dumps(entry))[1]
    agent.result()
    steps = [tool("Write", file_path=json.loads(path), content="# Plan"), tool("ExitPlanMode")]
    agent.turn(script(*steps, tool("EnterPlanMode"), "done"))


def worktree(machine):
    machine.repository()
    steps = [tool("EnterWorktree", name="tree"), bash("pwd"), "in"]
    say(machine, script(*steps), script(tool("ExitWorktree", action="keep"), "out"))


def sub_agent(machine):
    task = {"description": "look", "subagent_type": "general-purpose"}
    looks = tool("Agent", prompt=script(bash("echo found"), "found"), run_in_background=False, **task)
    # Slow enough to end after the turn that starts it.
    slow = script({"text": "found ", "times": 100}, token_ms=20)
    waits = tool("Agent", prompt=slow, run_in_background=True, **task)
    agent = machine.agent(initialize={"forwardSubagentText": True})
    agent.turn(script(looks, "done"))
    agent.say(script(waits, "done"))
    agent.until_subtype("task_notification")
    agent.result()


def background_shell(machine):
    agent = machine.agent()
    agent.say(script(bash("sleep 600", run_in_background=True), "done"))
    started = agent.until_subtype("task_started")
    agent.result()
    agent.request("get_task_output", task_id=started["task_id"])
    agent.request("stop_task", task_id=started["task_id"])
    agent.turn("hi")


def interrupt(machine):
    agent = machine.agent()
    agent.say(script({"text": "word ", "times": 2000}, token_ms=20))
    agent.until("text_delta", lambda frame: "text_delta" in json.dumps(frame))
    agent.request("interrupt")
    agent.result()
    agent.answers["can_use_tool"] = lambda request: None
    agent.say(script(bash("touch a"), "never"))
    agent.until("can_use_tool", lambda frame: frame["type"] == "control_request")
    agent.request("interrupt")
    agent.result()


def slash_commands(machine):
    say(machine, "hi", "hi again", "/compact", "/model haiku", "/context", "/cost", "/clear", "/nonsense", "hi")


def resume(machine):
    agent = machine.agent()
    agent.turn(script(bash("echo a"), "done"))
    agent.end()
    say(machine, "hi again", resume=agent.session).end()
    say(machine, "hi", resume=NO_UUID)


def deferred(machine):
    hooks = {"PreToolUse": [{"matcher": "Bash", "hookCallbackIds": ["h0"]}]}
    agent = machine.agent(initialize={"hooks": hooks})
    defer = {"hookEventName": "PreToolUse", "permissionDecision": "defer"}
    agent.answers["hook_callback"] = lambda request: {"hookSpecificOutput": defer}
    agent.turn(script(bash("touch a"), "done"))
    agent.end()
    again = machine.agent(resume=agent.session)
    again.result()


def hooks(machine):
    events = ["PreToolUse", "PostToolUse", "UserPromptSubmit", "Stop", "SessionStart", "Notification"]
    events += ["PermissionRequest", "SubagentStop", "PreCompact", "SessionEnd"]
    hooked = {event: [{"hookCallbackIds": [event]}] for event in events}
    say(machine, script(bash("touch a"), "done"), initialize={"hooks": hooked})


def api_error(machine):
    agent = machine.agent()
    agent.turn(script({"status": 400, "error": "invalid_request_error"}))
    agent.say(script({"status": 529, "error": "overloaded_error"}))
    agent.until_subtype("api_retry")
    agent.request("interrupt")
    agent.result()


def mcp(machine):
    config = {"asks": {"command": sys.executable, "args": [str(ELICITING_SERVER)]}}
    config["broken"] = {"command": "/no/such/program"}
    config = json.dumps({"mcpServers": config})
    agent = machine.agent(f"--mcp-config={config}")
    deadline = time.monotonic() + 30
    while "connected" not in json.dumps(agent.request("mcp_status")) and time.monotonic() < deadline:
        time.sleep(0.1)
    agent.turn(script(tool("mcp__asks__ask"), "done"))


def checkpoints(machine):
    agent = machine.agent(env={"CLAUDE_CODE_ENABLE_SDK_FILE_CHECKPOINTING": "1"})
    path = str(machine.workspace / "a.txt")
    agent.turn(script(tool("Write", file_path=path, content="one"), "done"))
    said = agent.turn(script(tool("Edit", file_path=path, old_string="one", new_string="two"), "done"))
    agent.request("rewind_files", user_message_id=said, dry_run=True)
    agent.request("rewind_files", user_message_id=said)


def requests(machine):
    agent = machine.agent("--allow-dangerously-skip-permissions", env={"IS_SANDBOX": "1"})
    agent.turn("hi")
    for mode in ["acceptEdits", "auto", "bypassPermissions", "dontAsk", "plan", "default", "nonsense"]:
        agent.request("set_permission_mode", mode=mode)
    agent.request("set_model", model="haiku")
    agent.request("set_model", model=None)
    agent.request("set_max_thinking_tokens", max_thinking_tokens=1024)
    agent.request("apply_flag_settings", settings={"permissions": {"allow": ["Bash(ls:*)"]}})
    simple = ["list_permission_rules", "mcp_status", "get_settings", "list_models", "get_session_cost", "get_status"]
    for subtype in [*simple, "get_usage", "get_plan", "get_hooks_listing", "get_workspace_diff", "no_such_request"]:
        agent.request(subtype)
    agent.request("get_context_usage", detail="summary")
    agent.request("file_suggestions", query="a")
    agent.request("rename_session", title="A title")
    agent.request("stop_task", task_id="nonsense")
    agent.request("cancel_async_message", message_uuid=NO_UUID)
    agent.request("mcp_toggle", serverName="nonsense", enabled=False)
    agent.request("mcp_reconnect", serverName="nonsense")
    agent.request("mcp_set_servers", servers={})
    agent.request("set_has_subscribers", has_subscribers=True)
    agent.turn("hi again")


TURNS = [text, tools, task_list, permission, question, plan, worktree, sub_agent, background_shell, interrupt]
TURNS += [slash_commands, resume, deferred, hooks, api_error, mcp, checkpoints, requests]
