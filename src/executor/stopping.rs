//! How the executor's sessions are told that the service stops: first politely, then not.

use tokio::sync::watch;

/// How far the service is on its way to its end.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Stage {
    /// It is not on it.
    #[default]
    Running,
    /// Nothing new begins; sessions log out at their next prompt.
    WindingDown,
    /// What still runs is cut off.
    CutOff,
}

/// The stage that the service is in; every session watches it.
#[derive(Debug, Default)]
pub(super) struct Stopping(watch::Sender<Stage>);

impl Stopping {
    pub(super) fn wind_down(&self) {
        self.enter(Stage::WindingDown);
    }

    pub(super) fn cut_off(&self) {
        self.enter(Stage::CutOff);
    }

    /// Over when nothing new may begin.
    pub(super) async fn winding_down(&self) {
        self.after(Stage::Running).await;
    }

    /// The stage that follows `stage`, or one behind that, as soon as it is entered.
    pub(super) async fn after(&self, stage: Stage) -> Stage {
        // The sender lives as long as this.
        self.0.subscribe().wait_for(|now| *now > stage).await.map_or(stage, |now| *now)
    }

    fn enter(&self, stage: Stage) {
        // Never back.
        self.0.send_modify(|now| *now = stage.max(*now));
    }
}
