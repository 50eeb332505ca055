-- The set of the agent's options that the session was created with.
alter table agent_webkit_sessions add column profile text;
