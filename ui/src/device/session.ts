/** A session with a connected device, by a ticket and a websocket. */
import { ApiError, api } from "../api/client";
import { CHUNK, fromFrame, InOrder, type Message, message, SHELL, toFrame } from "./dialect";
import { paths } from "./types";

export interface Session {
  send: (message: Message) => void;
  close: () => void;
}

export interface Events {
  onMessage: (message: Message) => void;
  /** It is over; why, unless it was closed from here. */
  onEnd: (reason: string) => void;
}

/** API Gateway ends a connection that says nothing for ten minutes. */
const KEEP_ALIVE = 4 * 60_000;
/** How long a source that began before this connection may take to come in order. */
const SETTLE = 250;

/** Open a session. Throws an `ApiError` that says why the device can't be reached. */
export async function open(device: string, events: Events, purpose?: "file"): Promise<Session> {
  const ticket = await api.post(`${paths.connection(device)}/connect/ticket`);
  const socket = new WebSocket(`${ticket.url}${purpose ? `&purpose=${purpose}` : ""}`, ticket.subprotocol);
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onclose = () => void refusal(device).then(reject);
  });
  let number = 0;
  let closed = false;
  const alive = setInterval(() => socket.send("."), KEEP_ALIVE);
  const send = (one: Message): void => {
    if (socket.readyState !== WebSocket.OPEN) return;
    // A long paste is more than one message; only streams are split.
    if (one.proto === SHELL && one.typ === "shell" && one.body.length > CHUNK) {
      for (let start = 0; start < one.body.length; start += CHUNK) send({ ...one, body: one.body.subarray(start, start + CHUNK) });
      return;
    }
    socket.send(toFrame(++number, one));
  };
  const taken = (one: Message): void => {
    if (one.typ === "ping") send(message(one.proto, "pong", { props: one.props }));
    else if (!closed) events.onMessage(one);
  };
  const order = new InOrder(taken, (run) => setTimeout(run, SETTLE));
  socket.onmessage = ({ data }) => {
    const frame = typeof data === "string" ? fromFrame(data) : undefined;
    if (frame) order.add(frame);
  };
  socket.onclose = ({ reason }) => {
    clearInterval(alive);
    if (!closed) events.onEnd(reason || "The connection ended.");
  };
  return {
    send,
    close: () => {
      closed = true;
      clearInterval(alive);
      socket.close(1000);
    },
  };
}

/** A browser is not told why a websocket was refused, so the API is asked. */
async function refusal(device: string): Promise<Error> {
  try {
    const { status } = await api.get(paths.connection(device));
    return new ApiError(0, status === "connected" ? "The connection was refused. Try again in a moment." : "The device is not connected.");
  } catch (error) {
    return error as Error;
  }
}

/** What the device says went wrong. */
export const complaint = (one: Message): string => new TextDecoder().decode(one.body) || "The device refused.";

