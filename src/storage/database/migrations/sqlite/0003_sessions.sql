-- One row a session. Whoever holds the lease writes; `epoch` rises with every holder.
create table agent_webkit_sessions (
    id               text   primary key,
    owner            text,
    cwd              text   not null,
    model            text,
    permission_mode  text,
    title            text,
    status           text   not null,
    created_at_ms    integer not null,
    active_at_ms     integer not null,
    lease_holder     text,
    lease_until_ms   integer not null default 0,
    epoch            integer not null default 0
);
create index agent_webkit_sessions_owner_idx on agent_webkit_sessions (owner, active_at_ms);
create index agent_webkit_sessions_active_idx on agent_webkit_sessions (active_at_ms);
