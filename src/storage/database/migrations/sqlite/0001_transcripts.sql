-- Transcripts, in the tables of the Postgres store.
create table if not exists session_entries (
    project_key     text    not null,
    session_id      text    not null,
    subpath         text    not null default '',
    seq             integer primary key autoincrement,
    uuid            text,
    entry           text    not null,
    inserted_at_ms  integer  not null
);
create index if not exists session_entries_lookup_idx
    on session_entries (project_key, session_id, subpath, seq);
create unique index if not exists session_entries_uuid_uniq_idx
    on session_entries (project_key, session_id, subpath, uuid)
    where uuid is not null;
create index if not exists session_entries_session_idx
    on session_entries (session_id);

create table if not exists session_summaries (
    project_key  text   not null,
    session_id   text   not null,
    mtime_ms     integer not null,
    data         text   not null,
    primary key (project_key, session_id)
);
