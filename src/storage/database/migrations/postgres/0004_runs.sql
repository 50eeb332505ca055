-- A row holds a run: `events` that follow one another and are alike in all but their data. Those lie one behind the
-- other in `data`, in the `sizes` of a JSON array, which is null for a run of one. `seq` is the last of them.
alter table agent_webkit_events rename to agent_webkit_runs;
alter table agent_webkit_runs add column events bigint not null default 1;
alter table agent_webkit_runs add column sizes text;
-- To compress a run takes longer than to write it.
alter table agent_webkit_runs alter column data set storage external;
-- The events one by one, for whoever wants to look at them; `xmin` is the transaction that stored them.
create view agent_webkit_events as
    select stream, seq, name, data, piece_of, whole_of, xmin from agent_webkit_runs where sizes is null
    union all
    select
        r.stream, r.seq - r.events + e.n, r.name,
        substr(r.data, (1 + sum(e.size::int) over (partition by r.stream, r.seq order by e.n) - e.size::int)::int, e.size::int),
        r.piece_of, r.whole_of, r.xmin
    from agent_webkit_runs r, json_array_elements_text(r.sizes::json) with ordinality as e (size, n)
    where r.sizes is not null;
