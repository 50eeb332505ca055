import assert from "node:assert/strict";
import { test } from "node:test";
import { todosAfter, type Todo } from "./todos";

type Call = [name: string, input: Record<string, unknown>, output?: unknown];

const after = (...calls: Call[]) => calls.reduce<Todo[]>((todos, call) => todosAfter(todos, ...call), []);

test("tasks are created, changed and deleted one by one", () => {
  const made: Call[] = [
    ["TaskCreate", { subject: "Read", activeForm: "Reading" }, "Task #1 created successfully: Read"],
    ["TaskCreate", { subject: "Write" }, "Task #2 created successfully: Write"],
  ];
  const works: Call = ["TaskUpdate", { taskId: "1", status: "in_progress" }];
  assert.deepEqual(after(...made, works), [
    { id: "1", text: "Read", active: "Reading", status: "in_progress" },
    { id: "2", text: "Write", status: "pending" },
  ]);
  const renamed: Call = ["TaskUpdate", { taskId: "2", subject: "Write it down" }];
  const gone: Call = ["TaskUpdate", { taskId: "1", status: "deleted" }];
  assert.deepEqual(after(...made, works, renamed, gone), [{ id: "2", text: "Write it down", status: "pending" }]);
});

test("a whole list replaces the one before", () => {
  const first: Call = ["TodoWrite", { todos: [{ content: "a", status: "pending" }] }];
  const second: Call = ["TodoWrite", { todos: [{ content: "b", activeForm: "does b", status: "in_progress" }, null] }];
  assert.deepEqual(after(first, second), [
    { id: "0", text: "b", active: "does b", status: "in_progress" },
    { id: "1", text: "", status: "pending" },
  ]);
});

test("what is no list changes nothing", () => {
  assert.deepEqual(after(["TodoWrite", {}], ["TaskCreate", { subject: "x" }, "no id"], ["Bash", { todos: [] }]), []);
});
