// A WebSocket with an access token, for a page of another origin than the API.

// docs: connect
function connect(url, token, onText, onSignedOut) {
  const socket = new WebSocket(url, ["orders.v1", `bearer.${token}`]);
  socket.onmessage = (message) => onText(message.data);
  socket.onclose = (closed) => {
    if (closed.code === 3000) onSignedOut(closed.reason);
  };
  return socket;
}
// docs: end
