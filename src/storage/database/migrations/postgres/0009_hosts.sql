-- The hosts that hold an advisory lock for as long as they live: who finds the lock free knows that the host is dead. It
-- says nothing once the server has started again since, which frees all locks.
create table if not exists agent_webkit_hosts (
    host              text        primary key,
    lock_id           bigint      not null,
    server_started_at timestamptz not null
);
