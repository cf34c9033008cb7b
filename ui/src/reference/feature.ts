import type { Feature } from "../app/feature";
import { navigate } from "../app/router";

export const reference: Feature = {
  nav: { path: "/api", label: "API", icon: "api", order: 70, keys: "g i", foot: true },
  screens: [
    { path: "/api", title: "API", load: () => import("./Reference") },
    { path: "/api/:id", title: "API", load: () => import("./OperationPage") },
  ],
  commands: [{ title: "Read and try the API", icon: "api", words: "openapi swagger curl reference documentation rest", run: () => navigate("/api") }],
};
