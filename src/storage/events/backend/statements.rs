//! The SQL statements that SQLite and Postgres share.

/// A page ends with the run that reaches this number of events, if it is not full before.
pub(super) const PAGE_EVENTS: i64 = 512;

pub(super) const TAKE: &str = "
    insert into agent_webkit_streams (key, epoch, touched_at_ms) values ($1, 1, $2)
    on conflict (key) do update set epoch = agent_webkit_streams.epoch + 1, touched_at_ms = $2
    returning id, epoch, oldest_seq, last_seq, compacted_seq, closed, note";

pub(super) const CREATE: &str = "
    insert into agent_webkit_streams (key, epoch, touched_at_ms) values ($1, 1, $2)
    on conflict (key) do nothing
    returning id, epoch, oldest_seq, last_seq, compacted_seq, closed, note";

pub(super) const LOOK: &str = "
    select id, epoch, oldest_seq, last_seq, compacted_seq, closed, note
    from agent_webkit_streams where key = $1";

/// A single statement, so that the start of the stream and its events come from the same snapshot.
pub(super) const PAGE: &str = "
    select s.oldest_seq, r.seq, r.name, r.data, r.sizes
    from agent_webkit_streams s
    left join agent_webkit_runs r on r.stream = s.id and r.seq > $2 and r.seq <= (
        select max(seq) from (
            select seq, sum(size) over earlier - size as bytes_before, sum(events) over earlier - events as before
            from (
                select seq, events, length(data) as size from agent_webkit_runs
                where stream = $1 and seq > $2 and seq <= coalesce(
                    (select min(seq) from agent_webkit_runs where stream = $1 and seq >= $3), $3
                )
                order by seq limit $4
            ) as listed
            window earlier as (order by seq)
        ) as summed where before < $4 and bytes_before < $5
    )
    where s.id = $1
    order by r.seq";

pub(super) const NEWEST: &str = "
    select seq, name, data, sizes from agent_webkit_runs
    where stream = $1 and name = $2
    order by seq desc limit $3";

pub(super) const FORGET_STREAM: &str = "delete from agent_webkit_streams where key = $1 returning id";
/// `$2` is the length of the prefix `$1` in characters.
pub(super) const FORGET_IDLE: &str = "
    delete from agent_webkit_streams where id in (
        select id from agent_webkit_streams where substr(key, 1, $2) = $1 and touched_at_ms < $3 limit $4
    ) and touched_at_ms < $3
    returning id, key";
pub(super) const FORGET_EVENTS: &str = "delete from agent_webkit_runs where stream = $1";

pub(super) const MARK_TRIMMED: &str = "
    update agent_webkit_streams set oldest_seq = $3 where id = $1 and epoch = $2 and oldest_seq < $3";
pub(super) const TRIM: &str = "delete from agent_webkit_runs where stream = $1 and seq < $2";

pub(super) const MARK_COMPACTED: &str = "
    update agent_webkit_streams set compacted_seq = $3 where id = $1 and epoch = $2";
pub(super) const COMPACT: &str = "
    delete from agent_webkit_runs
    where stream = $1 and seq > $2 and seq <= $3 and exists (
        select 1 from agent_webkit_runs w
        where w.stream = agent_webkit_runs.stream and w.whole_of = agent_webkit_runs.piece_of
        and w.seq > agent_webkit_runs.seq
    )";

/// The run that contains event `$2` and earlier ones.
pub(super) const TRIMMED_RUN: &str = "
    select seq, name, data, sizes from agent_webkit_runs
    where stream = $1 and seq - events + 1 < $2
    and seq = (select min(seq) from agent_webkit_runs where stream = $1 and seq >= $2)";
/// Like [`TRIMMED_RUN`], but only a run of pieces whose whole message comes later.
pub(super) const COMPACTED_RUN: &str = "
    select r.seq, r.name, r.data, r.sizes from agent_webkit_runs r
    where r.stream = $1 and r.seq - r.events + 1 < $2
    and r.seq = (select min(seq) from agent_webkit_runs where stream = $1 and seq >= $2)
    and exists (
        select 1 from agent_webkit_runs w
        where w.stream = r.stream and w.whole_of = r.piece_of and w.seq > r.seq
    )";
pub(super) const CUT: &str = "
    update agent_webkit_runs set events = $3, data = $4, sizes = $5 where stream = $1 and seq = $2";
