-- Records for other programs, stored in the transaction of the events that they are about. A host claims a record by moving
-- its due time and counting the attempt; if it dies, another one claims the record once it is due again.
create table if not exists agent_webkit_outbox (
    serial    integer primary key autoincrement,
    record    blob not null,
    due_at_ms integer not null,
    attempts  integer not null
);
create index if not exists agent_webkit_outbox_due_idx on agent_webkit_outbox (due_at_ms);
