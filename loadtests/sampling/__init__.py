"""What is watched beside a load: processes of the local fleet, figures of routers, moves."""
