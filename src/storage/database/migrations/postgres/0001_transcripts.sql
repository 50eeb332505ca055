-- The tables of the Python reference, so that a deployment can move over and back.
create table if not exists session_entries (
    project_key     text    not null,
    session_id      text    not null,
    subpath         text    not null default '',
    seq             bigserial primary key,
    uuid            text,
    entry           jsonb   not null,
    inserted_at_ms  bigint  not null
);
-- The entry's own text, where jsonb cannot hold all of it.
alter table session_entries add column if not exists verbatim text;
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
    mtime_ms     bigint not null,
    data         jsonb  not null,
    primary key (project_key, session_id)
);
