-- Records for other programs, stored in the transaction of the events that they are about. A host claims a record by moving
-- its due time and counting the attempt; if it dies, another one claims the record once it is due again.
create table if not exists agent_webkit_outbox (
    serial    bigint primary key generated always as identity,
    record    bytea not null,
    due_at_ms bigint not null,
    attempts  bigint not null
);
create index if not exists agent_webkit_outbox_due_idx on agent_webkit_outbox (due_at_ms);
