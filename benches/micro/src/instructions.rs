//! Runs one hot path this many times: `instructions codec|append|pipe|wake|replay|create TIMES`. The difference of two
//! counts is the cost of a run.

use std::{env, hint::black_box};

use agent_webkit_micro::{Pipe, append, batch, codec, create_and_delete, lines, read, reader, stream};

fn main() {
    let mut arguments = env::args().skip(1);
    let path = arguments.next().unwrap_or_default();
    let times: usize = arguments.next().and_then(|times| times.parse().ok()).unwrap_or(1);
    match path.as_str() {
        "codec" => drop(black_box(codec(&lines(times)))),
        "append" => {
            let (stream, batch) = (stream(), batch(100));
            (0..times).for_each(|_| append(&stream, batch.clone()));
        }
        "pipe" => {
            let (mut pipe, lines) = (Pipe::default(), lines(100));
            (0..times).for_each(|_| pipe.feed(&lines));
        }
        "wake" => {
            let (stream, batch) = (stream(), batch(1));
            let mut tails: Vec<_> = (0..100).map(|_| reader(&stream)).collect();
            for _ in 0..times {
                append(&stream, batch.clone());
                black_box(tails.iter_mut().map(read).sum::<usize>());
            }
        }
        "replay" => {
            let stream = stream();
            (0..9).for_each(|_| append(&stream, batch(100)));
            black_box((0..times).map(|_| read(&mut reader(&stream))).sum::<usize>());
        }
        "create" => create_and_delete(times),
        other => panic!("there is no path {other:?}"),
    }
}
