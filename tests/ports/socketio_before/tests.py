import unittest

from app import app, socketio


class ChatTest(unittest.TestCase):
    def connect(self, room, user):
        browser = app.test_client()
        with browser.session_transaction() as session:
            session["user"] = user
        client = socketio.test_client(app, flask_test_client=browser)
        client.emit("join", room)
        return client

    def test_a_message_reaches_everyone_in_the_room(self):
        ada = self.connect("lobby", "ada")
        bob = self.connect("lobby", "bob")
        ada.emit("say", "lobby", "hello")
        (said,) = bob.get_received()
        self.assertEqual(said["args"][0], {"user": "ada", "text": "hello"})

    def test_an_empty_message_is_refused(self):
        ada = self.connect("lobby", "ada")
        answer = ada.emit("say", "lobby", " ", callback=True)
        self.assertEqual(answer, {"error": "Say something."})


if __name__ == "__main__":
    unittest.main()
