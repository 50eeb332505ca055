-- Messages for sessions that another host runs. The host that runs a session takes its entries, each under the epoch of its
-- lease, and writes the outcome, which the host that was asked waits for. No entry is taken once it has expired.
create table if not exists agent_webkit_inbox (
    serial        integer primary key autoincrement,
    entry_id      text    not null unique,
    session_id    text    not null,
    message       blob    not null,
    expires_at_ms integer not null,
    taken_epoch   integer,
    outcome       blob
);
create index if not exists agent_webkit_inbox_session_idx on agent_webkit_inbox (session_id) where outcome is null;
