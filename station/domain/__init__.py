"""Values, pure rules and ports. Standard library only; everything else imports this, it imports nothing."""
