-- A row holds a run: `events` that follow one another and are alike in all but their data. Those lie one behind the
-- other in `data`, in the `sizes` of a JSON array, which is null for a run of one. `seq` is the last of them.
alter table agent_webkit_events rename to agent_webkit_runs;
alter table agent_webkit_runs add column events integer not null default 1;
alter table agent_webkit_runs add column sizes text;
-- The events one by one, for whoever wants to look at them. With a window instead of the inner sum, a look at one
-- stream would go through the runs of all.
create view agent_webkit_events as
    select stream, seq, name, data, piece_of, whole_of from agent_webkit_runs where sizes is null
    union all
    select
        r.stream, r.seq - r.events + 1 + e.key, r.name,
        substr(
            r.data,
            1 + (select coalesce(sum(earlier.value), 0) from json_each(r.sizes) earlier where earlier.key < e.key),
            e.value
        ),
        r.piece_of, r.whole_of
    from agent_webkit_runs r, json_each(r.sizes) e
    where r.sizes is not null;
