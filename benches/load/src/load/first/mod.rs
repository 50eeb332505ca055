//! Measures the time to the first delta with the real CLI: the CLI by itself, and behind the product's
//! binary.
//!
//! All use one practice model and run on all cores, because the CLI has more than one thread.

mod bare;
mod product;
mod tree;

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{self, Child, Command},
    time::Duration,
};

use agent_webkit::practice::Model;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::runtime::{Builder, Runtime};

use self::{bare::Bare, product::Product};
use super::target::Failure;

pub const TEST: &str = "first delta";
pub const FIGURE: &str = "ms";

/// The base of the ratios.
pub const BARE: &str = "bare CLI";

const SAMPLES: usize = 5;

const MESSAGE: &str = "hello";

/// A setup whose first delta is measured.
trait Way {
    /// Measures one time to the first delta. On return, nothing that it started is busy any more.
    fn sample(&mut self) -> Result<Duration, Failure>;
}

/// Measures the ways in turn, several times, in milliseconds. The first sample of each is dropped, because it
/// includes the one-time work of the CLI and the server.
pub fn round() -> Result<Vec<(&'static str, f64)>, Failure> {
    let ground = Ground::new()?;
    let product = |name, options: &[&str]| Product::start(&ground.plot(name)?, options);
    let mut ways: Vec<(&'static str, Box<dyn Way>)> = vec![
        (BARE, Box::new(Bare::new(ground.plot("bare")?))),
        ("ours, cold", Box::new(product("memory", &["--store=memory"])?)),
        ("ours, cold, SQLite", Box::new(product("sqlite", &["--store=sqlite:sessions.db"])?)),
        ("ours, warm", Box::new(product("warm", &["--store=memory", "--warm=2"])?)),
    ];
    let mut samples = Vec::new();
    for sample in 0..=SAMPLES {
        for (name, way) in &mut ways {
            let taken = way.sample().map_err(|failure| format!("{name}: {failure}"))?;
            if sample > 0 {
                samples.push((*name, taken.as_secs_f64() * 1000.0));
            }
        }
    }
    Ok(samples)
}

/// The folders and the model of a round.
struct Ground {
    folder: PathBuf,
    claude: PathBuf,
    model: Model,
    _runtime: Runtime,
}

/// The home and the workspace of one way, both empty at first.
struct Plot {
    home: PathBuf,
    workspace: PathBuf,
    claude: PathBuf,
    /// The whole environment of the CLI, the same for every way.
    environment: Vec<(&'static str, OsString)>,
}

impl Ground {
    fn new() -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let model = runtime.block_on(Model::bind("127.0.0.1:0"))?;
        let claude = env::var_os("AGENT_WEBKIT_CLAUDE").ok_or("AGENT_WEBKIT_CLAUDE is not set")?.into();
        let folder = env::temp_dir().join(format!("agent-webkit-bench-{}", process::id()));
        Ok(Self { folder, claude, model, _runtime: runtime })
    }

    fn plot(&self, name: &str) -> Result<Plot, Failure> {
        let folder = |kind| -> Result<PathBuf, Failure> {
            let folder = self.folder.join(name).join(kind);
            fs::create_dir_all(&folder)?;
            Ok(folder)
        };
        let (home, workspace) = (folder("home")?, folder("workspace")?);
        let environment = vec![
            ("PATH", env::var_os("PATH").unwrap_or_default()),
            ("HOME", home.clone().into()),
            ("ANTHROPIC_BASE_URL", self.model.url().into()),
            ("ANTHROPIC_API_KEY", "practice".into()),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".into()),
        ];
        Ok(Plot { home, workspace, claude: self.claude.clone(), environment })
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Spawns a child that may run on all cores. It inherits the affinity of this thread; the start of `taskset`
/// would be measured as well.
fn spawn_on_all_cores(command: &mut Command) -> Result<Child, Failure> {
    let here = sched_getaffinity(None)?;
    let mut all = CpuSet::new();
    (0..CpuSet::MAX_CPU).for_each(|core| all.set(core));
    sched_setaffinity(None, &all)?;
    let child = command.spawn();
    sched_setaffinity(None, &here)?;
    Ok(child?)
}

/// Returns the path of the released binary.
fn binary() -> Result<PathBuf, Failure> {
    let binary = env::var_os("PRODUCT").ok_or("PRODUCT is not set to the product's binary")?;
    Ok(Path::new(&binary).canonicalize()?)
}
