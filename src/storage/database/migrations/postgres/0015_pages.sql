-- For a page of the sessions of an owner. Without the owner: Postgres uses no index for `is not distinct from`.
create index agent_webkit_sessions_page_idx on agent_webkit_sessions (created_at_ms, id);
