"""What happens in AWS, in order: state, plan, publish, rollout."""
