-- A tombstone marks a deleted session whose data is still being removed. It was a status before.
alter table agent_webkit_sessions add column tombstoned_at_ms bigint;
update agent_webkit_sessions set tombstoned_at_ms = active_at_ms, status = 'idle' where status = 'buried';
