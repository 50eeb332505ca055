-- What each session has cost on each day, for the budgets of owners and of the server. Rows outlive their sessions.
create table if not exists agent_webkit_costs (
    session_id text not null,
    -- In days since the Unix epoch, in UTC.
    day bigint not null,
    owner text,
    usd double precision not null,
    primary key (session_id, day)
);
create index if not exists agent_webkit_costs_day_idx on agent_webkit_costs (day, owner);
