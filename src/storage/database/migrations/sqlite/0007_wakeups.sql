-- When a session has to be in memory, because its agent has scheduled something.
alter table agent_webkit_sessions add column wakes_at_ms integer;
create index agent_webkit_sessions_wakes_idx on agent_webkit_sessions (wakes_at_ms) where wakes_at_ms is not null;
