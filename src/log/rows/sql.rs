//! What SQLite and Postgres understand alike.

/// A page is so many events at most, and so many bytes or one event.
pub(super) const PAGE_EVENTS: i64 = 512;
pub(super) const PAGE_BYTES: i64 = 256 << 10;

pub(super) const TAKE: &str = "
    insert into agent_webkit_streams (key, epoch) values ($1, 1)
    on conflict (key) do update set epoch = agent_webkit_streams.epoch + 1
    returning id, epoch, oldest_seq, last_seq, compacted_seq, closed, note";

pub(super) const LOOK: &str = "
    select id, epoch, oldest_seq, last_seq, compacted_seq, closed, note
    from agent_webkit_streams where key = $1";

/// One statement, so that the start of the stream and its events are of the same moment.
pub(super) const PAGE: &str = "
    select s.oldest_seq, e.seq, e.name, e.data
    from agent_webkit_streams s
    left join agent_webkit_events e on e.stream = s.id and e.seq > $2 and e.seq <= (
        select max(sized.seq) from (
            select seq, sum(size) over (order by seq) - size as before from (
                select seq, length(data) as size from agent_webkit_events
                where stream = $1 and seq > $2 and seq <= $3 order by seq limit $4
            ) as listed
        ) as sized where before < $5
    )
    where s.id = $1
    order by e.seq";

pub(super) const NEWEST: &str = "
    select e.seq, e.data from agent_webkit_streams s
    join agent_webkit_events e on e.stream = s.id
    where s.key = $1 and e.name = $2
    order by e.seq desc limit $3";

pub(super) const FORGET_STREAM: &str = "delete from agent_webkit_streams where key = $1 returning id";
pub(super) const FORGET_EVENTS: &str = "delete from agent_webkit_events where stream = $1";

pub(super) const MARK_TRIMMED: &str = "
    update agent_webkit_streams set oldest_seq = $3 where id = $1 and epoch = $2 and oldest_seq < $3";
pub(super) const TRIM: &str = "delete from agent_webkit_events where stream = $1 and seq < $2";

pub(super) const MARK_COMPACTED: &str = "
    update agent_webkit_streams set compacted_seq = $3 where id = $1 and epoch = $2";
pub(super) const COMPACT: &str = "
    delete from agent_webkit_events
    where stream = $1 and seq > $2 and seq <= $3 and exists (
        select 1 from agent_webkit_events w
        where w.stream = agent_webkit_events.stream and w.whole_of = agent_webkit_events.piece_of
        and w.seq > agent_webkit_events.seq
    )";
