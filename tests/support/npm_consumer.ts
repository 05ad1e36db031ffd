// A team's own code with the npm package: what it may write, and what a compiler tells it.
import { connect, RequestError, type Options, type State } from "django-gevent-websocket";

const options: Options = {
  onJSON: (value, data) => console.log(value, data.length),
  onState(state: State) {
    if (state.name === "waiting") console.log(state.until);
  },
  protocols: async () => ["chat"],
  backoff: { first: 100 },
  signal: new AbortController().signal,
};
const connection = connect(async () => new URL("wss://example.com/"), options);
export const sent: boolean = connection.send(new Uint8Array(1));
connection.request({ a: 1 }, { timeout: 5 }).catch((error: RequestError) => error.code.length);
connection.request("rename", { name: "Ada" }, { again: true }).catch((error: RequestError) => error.fields.name?.length);

// @ts-expect-error: there is no such option
connect("/", { onMesage() {} });
// @ts-expect-error: a number is no message
connection.send(5);
// @ts-expect-error: the state is to be read
connection.state = { name: "open" };
