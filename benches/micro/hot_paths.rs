//! `cargo bench --manifest-path benches/micro/Cargo.toml`

use std::hint::black_box;

use agent_webkit_micro::{append, batch, codec, lines, read, reader, stream};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn hot_paths(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    let written = lines(1000);
    group.throughput(Throughput::Elements(1000));
    group.bench_function("a thousand lines to events", |bench| bench.iter(|| codec(black_box(&written))));
    group.finish();

    let mut group = criterion.benchmark_group("append");
    for events in [1, 100] {
        let (stream, batch) = (stream(), batch(events));
        group.throughput(Throughput::Elements(events as u64));
        group.bench_function(format!("{events} at once"), |bench| {
            bench.iter_batched(|| batch.clone(), |batch| append(&stream, batch), BatchSize::SmallInput);
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("tail");
    let (live, one) = (stream(), batch(1));
    let mut tails: Vec<_> = (0..100).map(|_| reader(&live)).collect();
    group.throughput(Throughput::Elements(100));
    group.bench_function("wake a hundred", |bench| {
        bench.iter(|| {
            append(&live, one.clone());
            tails.iter_mut().map(read).sum::<usize>()
        });
    });
    let held = stream();
    (0..900).for_each(|_| append(&held, batch(1)));
    group.throughput(Throughput::Elements(900));
    group.bench_function("replay 900", |bench| bench.iter(|| read(&mut reader(&held))));
    group.finish();
}

criterion_group!(benches, hot_paths);
criterion_main!(benches);
