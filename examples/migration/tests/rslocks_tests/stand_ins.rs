//! What rslock's tests take from other packages: servers in containers, which are servers on loopback ports here, and two small
//! helpers.

pub(crate) mod anyhow {
    pub(crate) type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;
}

pub(crate) mod futures_timer {
    use std::time::Duration;

    pub(crate) struct Delay;

    impl Delay {
        #[expect(clippy::new_ret_no_self, reason = "the name is another package's")]
        pub(crate) fn new(time: Duration) -> tokio::time::Sleep {
            tokio::time::sleep(time)
        }
    }
}

pub(crate) mod testcontainers {
    use std::marker::PhantomData;

    use crate::support::daemon::Daemon;
    use crate::support::redis;

    pub(crate) mod core {
        pub(crate) struct WaitFor;

        impl WaitFor {
            pub(crate) fn message_on_stdout(_: &str) -> Self {
                Self
            }
        }

        pub(crate) trait IntoContainerPort {
            fn tcp(self) -> u16;
        }

        impl IntoContainerPort for u16 {
            fn tcp(self) -> u16 {
                self
            }
        }
    }

    pub(crate) mod runners {
        pub(crate) use super::Start as AsyncRunner;
    }

    pub(crate) struct GenericImage;

    impl GenericImage {
        pub(crate) fn new(_image: &str, _tag: &str) -> Self {
            Self
        }

        pub(crate) fn with_exposed_port(self, _port: u16) -> Self {
            self
        }

        pub(crate) fn with_wait_for(self, _: core::WaitFor) -> Self {
            self
        }
    }

    pub(crate) trait Start {
        async fn start(self) -> Result<ContainerAsync<GenericImage>, ()>;
    }

    impl Start for GenericImage {
        async fn start(self) -> Result<ContainerAsync<GenericImage>, ()> {
            Ok(ContainerAsync(redis(), PhantomData))
        }
    }

    pub(crate) struct ContainerAsync<T>(Daemon, PhantomData<T>);

    impl<T> ContainerAsync<T> {
        pub(crate) async fn get_host_port_ipv4(&self, _inside: u16) -> Result<u16, ()> {
            Ok(self.0.port)
        }
    }
}
