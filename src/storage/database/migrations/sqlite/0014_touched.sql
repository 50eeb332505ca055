-- When a stream was last opened or written, by the clock of the host that did it. Streams of earlier versions have no time.
alter table agent_webkit_streams add column touched_at_ms integer;
