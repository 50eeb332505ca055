-- Tickets that hold on every host. A row has the SHA-256 digest of a ticket, never the ticket; the principal's name and the
-- grant are JSON, which any text can be part of.
create table if not exists agent_webkit_tickets (
    digest        blob primary key,
    principal     text not null,
    grant_json    text not null,
    expires_at_ms integer not null
);
create index if not exists agent_webkit_tickets_principal_idx on agent_webkit_tickets (principal, expires_at_ms);
create index if not exists agent_webkit_tickets_expiry_idx on agent_webkit_tickets (expires_at_ms);
