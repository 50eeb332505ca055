-- Devices that are notified, by the digest of the address that their push service has given them. The owner's name is JSON,
-- which any text can be part of.
create table if not exists agent_webkit_devices (
    id            text primary key,
    owner         text not null,
    subscription  text not null,
    renewed_at_ms bigint not null,
    expires_at_ms bigint not null
);
create index if not exists agent_webkit_devices_owner_idx on agent_webkit_devices (owner, renewed_at_ms);
-- The key by which push services know this server, one for all hosts.
create table if not exists agent_webkit_push_keys (
    name        text primary key,
    private_key bytea not null
);
