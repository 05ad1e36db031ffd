import sys

from flask import Flask, redirect, render_template, request, session
from flask_socketio import SocketIO, emit, join_room

app = Flask(__name__)
app.config["SECRET_KEY"] = "only for tests"
socketio = SocketIO(app)


@app.route("/chat/<room>/", methods=["GET", "POST"])
def page(room):
    if request.method == "POST":
        socketio.emit("said", {"user": "bell", "text": "ding"}, to=room)
        return redirect(request.path)
    return render_template("room.html", room=room)


@socketio.on("join")
def join(room):
    join_room(room)


@socketio.on("say")
def say(room, text):
    if not text.strip():
        return {"error": "Say something."}
    user = session.get("user", "guest")
    emit("said", {"user": user, "text": text}, to=room)
    return {}


if __name__ == "__main__":
    port = int(sys.argv[1])
    socketio.run(app, port=port, allow_unsafe_werkzeug=True)
