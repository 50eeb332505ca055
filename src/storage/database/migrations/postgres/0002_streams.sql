-- Event streams. `epoch` rises with every writer that takes a stream over; the writes of earlier ones fail.
-- `id` is never used twice, so whoever writes to a stream that was forgotten finds nothing.
create table agent_webkit_streams (
    id             bigint  primary key generated always as identity,
    key            text    not null unique,
    epoch          bigint  not null,
    oldest_seq     bigint  not null default 1,
    last_seq       bigint  not null default 0,
    compacted_seq  bigint  not null default 0,
    closed         boolean not null default false,
    note           bytea
);
-- A jump in `seq` between two rows was compacted. `piece_of` and `whole_of` name a message. No foreign key:
-- rows are only ever written together with their stream's.
create table agent_webkit_events (
    stream    bigint not null,
    seq       bigint not null,
    name      text   not null,
    data      bytea  not null,
    piece_of  text,
    whole_of  text,
    primary key (stream, seq)
);
create index agent_webkit_events_wholes_idx on agent_webkit_events (stream, whole_of, seq) where whole_of is not null;
