-- A row holds a run: `events` that follow one another and are alike in all but their data. Those lie one behind the
-- other in `data`, in the `sizes` of a JSON array, which is null for a run of one. `seq` is the last of them.
alter table agent_webkit_events rename to agent_webkit_runs;
alter table agent_webkit_runs add column events integer not null default 1;
alter table agent_webkit_runs add column sizes text;
-- The events one by one, for whoever wants to look at them.
create view agent_webkit_events as
    select stream, seq, name, data, piece_of, whole_of from agent_webkit_runs where sizes is null
    union all
    select
        r.stream, r.seq - r.events + 1 + e.key, r.name,
        substr(r.data, 1 + sum(e.value) over (partition by r.stream, r.seq order by e.key) - e.value, e.value),
        r.piece_of, r.whole_of
    from agent_webkit_runs r, json_each(r.sizes) e
    where r.sizes is not null;
