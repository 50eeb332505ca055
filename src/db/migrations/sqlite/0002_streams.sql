-- Event streams. `epoch` rises with every writer that takes a stream over; the writes of earlier ones fail.
create table agent_webkit_streams (
    key         text   primary key,
    epoch       integer not null,
    oldest_seq  integer not null default 1,
    last_seq    integer not null default 0,
    closed      integer not null default 0,
    note        blob
);
-- A jump in `seq` between two rows was compacted. `piece_of` and `whole_of` name a message.
create table agent_webkit_events (
    key       text   not null references agent_webkit_streams (key) on delete cascade,
    seq       integer not null,
    name      text   not null,
    data      blob  not null,
    piece_of  text,
    whole_of  text,
    primary key (key, seq)
);
create index agent_webkit_events_pieces_idx on agent_webkit_events (key, piece_of, seq) where piece_of is not null;
create index agent_webkit_events_wholes_idx on agent_webkit_events (key, whole_of, seq) where whole_of is not null;
