// uWebSockets, natively, with its own topics. The paths are those of benches/src/app.rs.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "App.h"

struct Data {
  bool echo;
  std::string topic;
};

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "--version")) {
    puts("uWebSockets " UWS_FROM);
    return 0;
  }
  const char *port_text = getenv("PORT");
  int port = port_text ? atoi(port_text) : 3000;

  uWS::App()
      .ws<Data>("/*",
                {.compression = uWS::DISABLED,
                 .maxPayloadLength = 1 << 20,
                 .maxBackpressure = 64 << 20,
                 .upgrade =
                     [](auto *response, auto *request, auto *context) {
                       std::string_view path = request->getUrl();
                       Data data{path == "/echo", "room"};
                       size_t slash = path.find('/', 1);
                       if (slash != std::string_view::npos) data.topic = path.substr(slash + 1);
                       response->template upgrade<Data>(
                           std::move(data), request->getHeader("sec-websocket-key"),
                           request->getHeader("sec-websocket-protocol"),
                           request->getHeader("sec-websocket-extensions"), context);
                     },
                 .open =
                     [](auto *socket) {
                       Data *data = socket->getUserData();
                       if (data->echo) return;
                       socket->subscribe(data->topic);
                       socket->send("ready", uWS::OpCode::TEXT);
                     },
                 .message =
                     [](auto *socket, std::string_view message, uWS::OpCode code) {
                       Data *data = socket->getUserData();
                       if (data->echo) {
                         socket->send(message, code);
                       } else {
                         socket->publish(data->topic, message, code);
                       }
                     }})
      .listen("127.0.0.1", port,
              [port](auto *listener) {
                if (!listener) exit(1);
                printf("http://127.0.0.1:%d\n", port);
                fflush(stdout);
              })
      .run();
}
