-- Messages for sessions that another host runs. The host that runs a session takes its entries, each under the epoch of its
-- lease, and writes the outcome, which the host that was asked waits for. No entry is taken once it has expired.
create table if not exists agent_webkit_inbox (
    serial        bigint primary key generated always as identity,
    entry_id      text   not null unique,
    session_id    text   not null,
    message       bytea  not null,
    expires_at_ms bigint not null,
    taken_epoch   bigint,
    outcome       bytea
);
create index if not exists agent_webkit_inbox_session_idx on agent_webkit_inbox (session_id) where outcome is null;
