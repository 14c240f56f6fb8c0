//! How the executor's sessions are told that the service stops: first politely, then not.

use tokio::sync::watch;

#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
enum Stage {
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
        self.reached(Stage::WindingDown).await;
    }

    /// Over when what still runs is cut off.
    pub(super) async fn is_cut_off(&self) {
        self.reached(Stage::CutOff).await;
    }

    fn enter(&self, stage: Stage) {
        // Never back.
        self.0.send_modify(|now| *now = stage.max(*now));
    }

    async fn reached(&self, stage: Stage) {
        // The sender lives as long as this.
        let _ = self.0.subscribe().wait_for(|now| *now >= stage).await;
    }
}
