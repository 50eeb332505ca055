-- For a page of the sessions of an owner.
create index agent_webkit_sessions_page_idx on agent_webkit_sessions (owner, created_at_ms, id);
