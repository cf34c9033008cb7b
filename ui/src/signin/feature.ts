import type { Feature } from "../app/feature";

/** Pages that mails lead to, and sign-up. The sign-in itself is shown by the app wherever there is no session. */
export const signin: Feature = {
  screens: [
    { path: "/password", title: "Forgotten password", load: () => import("./ForgottenPassword"), open: true },
    { path: "/password/:secret", title: "New password", load: () => import("./NewPassword"), open: true },
    { path: "/activate/:secret", title: "Confirm your address", load: () => import("./ConfirmAddress"), open: true },
    { path: "/email-change/:secret", title: "Confirm your new address", load: () => import("./ConfirmAddress"), open: true },
    { path: "/signup", title: "Create an account", load: () => import("./SignUp"), open: true },
  ],
};
