"""Who may come in and stay: sessions, permissions, origins."""
